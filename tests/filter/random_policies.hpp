// Texts of policies and messages, at random, that meet each other often: few names, few values, all
// operators.
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <string>

namespace sluice::test {

/// A policy that is taken in profile extended; at most 64 branches. `nested`: with nested objects.
rc::Gen<std::string> arbitrary_policy(bool nested);

/// A JSON object of the names and values that arbitrary_policy knows, with arrays of objects, empty
/// containers and duplicate names among them.
rc::Gen<std::string> arbitrary_body();

/// The same of few values and many arrays of objects, where clauses hold in some elements and meet
/// in few. `twice`: with members that come twice.
rc::Gen<std::string> arbitrary_elements(bool twice);

/// A policy of three to six paths that arbitrary_elements() has, absent ones among them.
rc::Gen<std::string> arbitrary_element_policy();

/// The value of an attribute of `type` (SLUICE_STRING ...); one in sixteen is none of its type.
rc::Gen<std::string> arbitrary_attribute(std::uint32_t type);

/// A pattern of few letters with stars and escapes, as JSON holds it, quotes included.
rc::Gen<std::string> arbitrary_pattern();

/// `text` with up to eight bytes changed, removed, doubled, or parts of it put elsewhere.
rc::Gen<std::string> mutation_of(std::string text);

}  // namespace sluice::test
