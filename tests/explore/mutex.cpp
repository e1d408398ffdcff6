// std::mutex by the explorer. The C library's functions that it calls stand here, in front of the library's own: within
// a thread of a run they are steps, elsewhere they are what they were.
#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>

#include "explore/explorer.hpp"

namespace {

using Call = int (*)(pthread_mutex_t*);

Call library(const char* name) { return reinterpret_cast<Call>(dlsym(RTLD_NEXT, name)); }

}  // namespace

namespace explore = sluice::explore;

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const Call kLibrary = library("pthread_mutex_lock");
  if (!explore::in_thread()) {
    return kLibrary(mutex);
  }
  explore::lock(mutex);
  return 0;
}

extern "C" int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  static const Call kLibrary = library("pthread_mutex_trylock");
  if (!explore::in_thread()) {
    return kLibrary(mutex);
  }
  return explore::try_lock(mutex) ? 0 : EBUSY;
}

extern "C" int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  static const Call kLibrary = library("pthread_mutex_unlock");
  if (!explore::in_thread()) {
    return kLibrary(mutex);
  }
  explore::unlock(mutex);
  return 0;
}
