// Memory that a worker keeps from picture to picture.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

namespace sluice::image_resize {

/// Kernels may read and write this many elements past the end of every buffer (kernels.hpp).
inline constexpr std::size_t kSlack = 256;

/// An array that only grows, aligned to a cache line. What it holds is unspecified after reserve().
/// Not copyable; one thread.
template <class T>
class Buffer {
  static_assert(std::is_trivial_v<T>);

 public:
  /// Room for `count` elements and kSlack more. Throws std::bad_alloc.
  T* reserve(std::size_t count) {
    std::size_t wanted = count + kSlack;
    if (wanted > capacity_) {
      data_.reset();  // the old contents are not kept, so both need not live at once
      capacity_ = 0;
      data_.reset(static_cast<T*>(::operator new(wanted * sizeof(T), kAlignment)));
      std::memset(static_cast<void*>(data_.get()), 0, wanted * sizeof(T));
      capacity_ = wanted;
    }
    return data_.get();
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(T* data) const { ::operator delete(data, kAlignment); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t capacity_ = 0;
};

}  // namespace sluice::image_resize
