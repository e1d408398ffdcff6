#include "config/keys.hpp"

#include <algorithm>

#include "plugin/host.hpp"
#include "queue/rate_limit.hpp"

namespace sluice::core {
namespace {

using T = Key::Type;
constexpr std::int64_t kSecond = 1000, kHour = 3600 * kSecond;
constexpr std::int64_t kGiB = std::int64_t{1} << 30;

constexpr ActionName kActionNames[] = {{"get", sluice_bucket_ref::get},
                                       {"put", sluice_bucket_ref::put},
                                       {"delete", sluice_bucket_ref::remove},
                                       {"list", sluice_bucket_ref::list}};

constexpr Key kAccessPointKeys[] = {
    {.name = "prefix",
     .type = T::string,
     .help = "Keys below it can be reached, no others.",
     .default_json = "\"\""},
    {.name = "allow",
     .type = T::actions,
     .help = "What may be done: get, put, delete, list.",
     .required = true},
};
constexpr Key kBucketKeys[] = {
    {.name = "type", .type = T::string, .help = "The bucket plugin.", .required = true},
    {.name = "access_points",
     .type = T::objects,
     .help = "Named ways into the bucket, used as \"BUCKET/NAME\" wherever a bucket is named.",
     .shape = &kAccessPointShape},
};
constexpr Key kTableKeys[] = {
    {.name = "type", .type = T::string, .help = "The table plugin.", .required = true},
};
constexpr Key kSourceKeys[] = {
    {.name = "type", .type = T::string, .help = "The source plugin.", .required = true},
    {.name = "publish_to",
     .type = T::name,
     .help = "The topic or queue that its messages go to.",
     .required = true},
};
constexpr std::string_view kScopes[] = {"MessageAttributes", "MessageBody"};
constexpr std::string_view kProfiles[] = {"sns", "extended"};

constexpr Key kTopicKeys[] = {
    {.name = "filter_profile",
     .type = T::choice,
     .help = "What the filter policies of its subscriptions may say: sns, what Amazon SNS takes, with "
             "its limits; extended, all operators of event-ruler, without limits on keys and "
             "combinations.",
     .default_json = "\"sns\"",
     .choices = kProfiles},
};
constexpr Key kSubscriptionKeys[] = {
    {.name = "topic",
     .type = T::name,
     .help = "The topic whose messages the queue gets.",
     .required = true},
    {.name = "filter_policy",
     .type = T::policy,
     .help = "Which of them it gets, as a filter policy of Amazon SNS. Default: all. `sluice match` "
             "tries one."},
    {.name = "filter_policy_scope",
     .type = T::choice,
     .help = "What the policy looks at: the message's attributes, or its body, which must be a JSON "
             "object.",
     .default_json = "\"MessageAttributes\"",
     .choices = kScopes},
};
constexpr Key kRedrivePolicyKeys[] = {
    {.name = "max_receive_count",
     .type = T::integer,
     .help = "A message received this often without success goes to the dead-letter queue.",
     .default_json = "10",
     .minimum = 1,
     .maximum = 1000},  // SQS: 1 to 1000
    {.name = "dead_letter_queue",
     .type = T::name,
     .help = "Where it goes. Default: NAME-dead, which is made if it is not declared. A FIFO queue's is a FIFO queue, too, "
             "as in SQS; another is warned of."},
};
constexpr std::string_view kWhenFull[] = {"block", "drop_new", "drop_old", "dead_letter"};
constexpr Key kQueueKeys[] = {
    {.name = "subscriptions",
     .type = T::array,
     .help = "The topics it gets messages from.",
     .shape = &kSubscriptionShape},
    {.name = "capacity",
     .type = T::integer,
     .help = "Messages it holds before its publishers wait, or do what when_full says. Room is asked for once for up to 64 "
             "messages: each source, and each worker that publishes, may bring 63 more.",
     .default_json = "100000",
     .minimum = 1,
     .maximum = 67'000'000},  // 26 bits of the packed credit
    {.name = "capacity_bytes",
     .type = T::size,
     .help = "Memory its messages may take before its publishers wait, or do what when_full says. Each of them may bring "
             "1 MiB and one message's body more.",
     .default_json = "\"256MiB\"",
     .minimum = 1,
     .maximum = 128 * kGiB},  // 37 bits of the packed credit
    {.name = "visibility_timeout",
     .type = T::duration,
     .help = "How long a received message stays hidden while it is worked on.",
     .default_json = "\"30s\"",
     .minimum = 0,
     .maximum = 12 * kHour},  // SQS: 0 to 12 hours
    {.name = "delay",
     .type = T::duration,
     .help = "How long a message stays hidden after it was sent, where it does not say so itself (in a FIFO queue it "
             "cannot: its own delay is ignored there).",
     .default_json = "\"0s\"",
     .minimum = 0,
     .maximum = 900 * kSecond},  // SQS: 0 to 15 minutes
    {.name = "retention",
     .type = T::duration,
     .help = "How long after it was sent a message is kept; then it expires, once no worker has it in hand. Default: 4d; of a "
             "dead-letter queue: for ever.",
     .minimum = 60 * kSecond,
     .maximum = 14 * 24 * kHour},  // SQS: 60 seconds to 14 days
    {.name = "in_flight_max",
     .type = T::integer,
     .help = "Messages that may be received and not settled at once; nothing more is received until some are, which "
             "over_in_flight_max counts at the admin address. Workers that receive at the same moment may pass it by a batch each.",
     .default_json = "120000",
     .minimum = 1,
     .maximum = 67'000'000},
    {.name = "when_full",
     .type = T::choice,
     .help = "What becomes of a message that finds the queue full: block, its publisher waits and with it the queue's "
             "siblings; drop_new, it is dropped; drop_old, the oldest that nobody holds are, up to 64 at once (of a FIFO queue: "
             "of a group that is not in hand); dead_letter, it goes to the dead-letter queue.",
     .default_json = "\"block\"",
     .choices = kWhenFull},
    {.name = "fifo",
     .type = T::boolean,
     .help = "Keeps the order of each message group; at most one batch of a group is worked on at once. Messages without "
             "a group id are one group.",
     .default_json = "false"},
    {.name = "content_based_deduplication",
     .type = T::boolean,
     .help = "Of a FIFO queue: a message without a deduplication id has the SHA-256 of its body as one. What is sent with "
             "an id that came within the last 5 minutes is deleted at once.",
     .default_json = "false"},
    {.name = "deduplication_capacity",
     .type = T::integer,
     .help = "Of a FIFO queue: deduplication ids it remembers, each for 5 minutes. With so many it takes no new ones until "
             "the oldest is forgotten.",
     .default_json = "10000000",
     .minimum = 1000,
     .maximum = 1'000'000'000},
    {.name = "redrive_policy",
     .type = T::maybe_object,
     .help =
         "When a message is given up, and where it goes. A queue with a service and without this "
         "key has "
         "{\"max_receive_count\": 10, \"dead_letter_queue\": \"NAME-dead\"}; null turns that off.",
     .shape = &kRedrivePolicyShape},
};
constexpr Key kStageKeys[] = {
    {.name = "type", .type = T::string, .help = "The stage plugin.", .required = true},
};
constexpr Key kServiceKeys[] = {
    {.name = "queue",
     .type = T::name,
     .help = "The queue whose messages it works on.",
     .required = true},
    {.name = "batch_size",
     .type = T::integer,
     .help = "Most messages that a worker receives at once. One of 64 and more may end where it would split what was published together, 64 messages at most.",
     .default_json = "10",
     .minimum = 1,
     .maximum = 10'000},
    {.name = "batch_window",
     .type = T::duration,
     .help = "How long a batch that is not full waits for more messages. Such a service has threads of its own.",
     .default_json = "\"0s\"",
     .minimum = 0,
     .maximum = 300 * kSecond},  // Lambda: MaximumBatchingWindowInSeconds, 0 to 300
    {.name = "weight",
     .type = T::integer,
     .help = "Its part of the cores beside other services that have work: one of weight 2 gets twice the time of one of "
             "weight 1.",
     .default_json = "1",
     .minimum = 1,
     .maximum = 100},
    {.name = "max_rate",
     .type = T::number,
     .help = "Most messages that it receives per second, all its workers together; 0.5 is one every two seconds. A token "
             "bucket: what is not used is kept up to a batch, or a tenth of a second's. Default: no limit.",
     .minimum = 0,
     .maximum = RateLimit::kPerSecondMax,
     .above_minimum = true},
    {.name = "visibility_timeout",
     .type = T::duration,
     .help = "How long what it receives stays hidden. Default: the queue's.",
     .minimum = 0,
     .maximum = 12 * kHour},
    {.name = "ack_deadline",
     .type = T::duration,
     .help = "How long a batch may be in its hands, however often a stage reports progress. What is not "
             "settled by then is dead-lettered, and the stage named.",
     .default_json = "\"12h\"",  // as SQS: nothing is in flight for longer
     .minimum = 1,
     .maximum = 14 * 24 * kHour},
    {.name = "max_body_bytes",
     .type = T::size,
     .help = "A streamed body above it is rejected where a stage or queue needs it in memory.",
     .default_json = "\"64MiB\"",
     .minimum = 1,
     .maximum = kGiB},
    {.name = "stages",
     .type = T::array,
     .help = "The chain that each message goes through.",
     .required = true,
     .shape = &kStageShape},
    {.name = "publish_to",
     .type = T::name,
     .help = "The topic or queue that the last stage's messages go to."},
    {.name = "scaling",
     .type = T::object,
     .help = "How many workers run.",
     .shape = &kScalingPolicyShape},
};
constexpr Key kAdminKeys[] = {
    {.name = "listen",
     .type = T::string,
     .help = "ADDRESS:PORT, such as 127.0.0.1:9640; port 0 is any free one. It asks for no password: keep it on the "
             "loopback.",
     .required = true},
};
constexpr Key kPipelineKeys[] = {
    {.name = "name",
     .type = T::name,
     .help = "The pipeline's name. Default: the file's name without its ending."},
    {.name = "state",
     .type = T::path,
     .help = "Folder for ledgers, dead letters and checkpoints. Default: .sluice/NAME beside the "
             "configuration."},
    {.name = "drain_timeout",
     .type = T::duration,
     .help = "Time to finish what is in hand after a stop.",
     .default_json = "\"30s\"",
     .minimum = 0,
     .maximum = 24 * kHour},
    {.name = "buckets", .type = T::objects, .help = "Object stores.", .shape = &kBucketShape},
    {.name = "tables",
     .type = T::objects,
     .help = "Stores of items with keys.",
     .shape = &kTableShape},
    {.name = "sources",
     .type = T::objects,
     .help = "What brings messages in.",
     .shape = &kSourceShape},
    {.name = "topics",
     .type = T::objects,
     .help = "What is published to one goes to every queue that subscribes.",
     .shape = &kTopicShape},
    {.name = "queues",
     .type = T::objects,
     .help = "Queues with the semantics of SQS.",
     .shape = &kQueueShape},
    {.name = "services",
     .type = T::objects,
     .help = "The consumers of queues: chains of stages run by workers.",
     .shape = &kServiceShape},
    {.name = "alarms",
     .type = T::objects,
     .help = "What watches a queue and acts when its state changes.",
     .shape = &kAlarmShape},
    {.name = "admin",
     .type = T::object,
     .help = "An HTTP address to look at the queues and operate them. Default: off.",
     .shape = &kAdminShape},
};

}  // namespace

const std::span<const ActionName> kActions = kActionNames;
const Shape kAccessPointShape{"access point", kAccessPointKeys};
const Shape kBucketShape{"bucket", kBucketKeys, "bucket"};
const Shape kTableShape{"table", kTableKeys, "table"};
const Shape kSourceShape{"source", kSourceKeys, "source"};
const Shape kTopicShape{"topic", kTopicKeys};
const Shape kSubscriptionShape{"subscription", kSubscriptionKeys};
const Shape kRedrivePolicyShape{"redrive policy", kRedrivePolicyKeys};
const Shape kQueueShape{"queue", kQueueKeys};
const Shape kStageShape{"stage", kStageKeys, "stage"};
const Shape kServiceShape{"service", kServiceKeys};
const Shape kAdminShape{"admin", kAdminKeys};
const Shape kPipelineShape{"pipeline", kPipelineKeys};

const Key* Shape::find(std::string_view name) const {
  for (const Key& key : keys) {
    if (key.name == name)
      return &key;
  }
  return nullptr;
}

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

}  // namespace sluice::core
