// A test's way to a private member: a counter is set to what years of use would bring it to, and no product header
// grows a door that only tests need. An explicit instantiation may name what is private (C++23, [temp.spec.general]).
//
//   namespace sluice::test {  // no unnamed one within: both name one function
//   struct LogNumber { friend std::uint64_t core::Log::* member(LogNumber); };
//   template struct PrivateMember<LogNumber, &core::Log::number_>;
//   }
//   log.*member(LogNumber()) = 7;
#pragma once

namespace sluice::test {

template <class Tag, auto kMember>
struct PrivateMember {
  friend decltype(kMember) member(Tag) { return kMember; }
};

}  // namespace sluice::test
