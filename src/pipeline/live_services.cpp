#include "pipeline/live_services.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/spelling.hpp"

namespace sluice::core {
namespace {

std::unexpected<Error> is_stopping() { return fail(Errc::unavailable, "the engine is stopping: no worker is started or stopped any more"); }

}  // namespace

Result<Service*> LiveServices::find(const std::string& name) const {
  std::vector<std::string_view> known;
  for (const std::unique_ptr<Service>& service : graph_.services) {
    if (service->name() == name) {
      return service.get();
    }
    known.push_back(service->name());
  }
  const std::string near = name.size() > 100 ? "" : did_you_mean(nearest_name(name, known));
  return fail(Errc::missing_input, fmt::format("there is no service '{}'{}", name, near));
}

Result<WorkerChange> LiveServices::ask(const std::string& name, std::uint32_t count, bool stops) {
  const Result<Service*> service = find(name);
  if (!service) {
    return std::unexpected(service.error());
  }
  std::future<Result<WorkerChange>> answer;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) {
      return is_stopping();
    }
    requests_.push_back(std::make_unique<Request>(**service, count, stops));
    answer = requests_.back()->answer.get_future();
  }
  ring_();
  return answer.get();
}

std::vector<std::unique_ptr<LiveServices::Request>> LiveServices::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(requests_, {});
}

bool LiveServices::serve() {
  const auto requests = take();
  for (const std::unique_ptr<Request>& request : requests) {
    request->answer.set_value(request->stops ? graph_.starter.stop(request->service, request->count, "by hand")
                                             : graph_.starter.start(request->service, request->count, "by hand"));
  }
  return !requests.empty();
}

void LiveServices::close() {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }
  for (const std::unique_ptr<Request>& request : take()) {
    request->answer.set_value(is_stopping());
  }
}

}  // namespace sluice::core
