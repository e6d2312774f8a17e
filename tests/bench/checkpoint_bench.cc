// Times checkpoints of sessions that all relayed since the last one, in CPU time of the thread:
//   checkpoint_bench DIRECTORY [SESSIONS [CHECKPOINTS]]
// DIRECTORY should be on the disk that is meant. Every third checkpoint comes after a change of
// bucket, so that each session has two parts to store: they are counted apart. It prints the median
// and the longest of both kinds. Then a worker relays all the while that more checkpoints take, and
// the kernel says how often it waited for anything: that is to be never.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "common/metering/ledger.h"
#include "common/metering/slots.h"

namespace turnpike {
namespace {

double ThreadMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

std::vector<SessionMeter> Begin(SlotFile& slots, uint32_t sessions, WallTime now) {
  std::vector<SessionMeter> meters;
  for (uint32_t i = 0; i < sessions; ++i) {
    SessionInfo info;
    for (size_t byte = 0; byte < 4; ++byte) info.id[byte] = static_cast<uint8_t>(i >> (8 * byte));
    info.account = "account-" + std::to_string(i % 100);
    info.label = i % 2 == 0 ? "web" : "app";
    info.username = "user-" + std::to_string(i);
    info.started_at = now;
    if (i % 256 == 0) slots.GrowAhead();
    const auto meter = slots.Acquire(info);
    if (!meter) break;
    meters.push_back(*meter);
  }
  return meters;
}

void Print(const char* kind, std::vector<double>& took) {
  if (took.empty()) return;
  std::ranges::sort(took);
  std::cout << "  " << kind << ": " << took.size() << " checkpoints, median "
            << took[took.size() / 2] << " ms, longest " << took.back()
            << " ms of the thread's CPU time\n";
}

// Relay adds packets to the meters as a worker does, until `stop`, and says what it waited for.
void Relay(std::vector<SessionMeter>& meters, BucketIndex bucket, const std::atomic<bool>& stop) {
  rusage before{};
  getrusage(RUSAGE_THREAD, &before);
  uint64_t packets = 0;
  while (!stop.load(std::memory_order_relaxed)) {
    for (SessionMeter& meter : meters) meter.Add(Direction::kClientToPeer, 1000, 1004, bucket);
    packets += meters.size();
  }
  rusage after{};
  getrusage(RUSAGE_THREAD, &after);
  std::cout << "  beside a worker: it counted " << packets / 1'000'000
            << " million packets and waited " << after.ru_nvcsw - before.ru_nvcsw << " times\n";
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: checkpoint_bench DIRECTORY [SESSIONS [CHECKPOINTS]]\n";
    return 2;
  }
  const auto sessions = static_cast<uint32_t>(argc > 2 ? std::atoi(argv[2]) : 10'000);
  const int checkpoints = argc > 3 ? std::atoi(argv[3]) : 60;
  const std::string directory = argv[1];
  std::filesystem::create_directories(directory);
  const LedgerIdentity identity{"relay-1", "us1", "ashburn", {1}};
  auto slots = SlotFile::Open(directory + "/live.slots", 65536, identity);
  auto ledger = Ledger::Open(directory, identity);
  if (!slots || !ledger) {
    std::cerr << (slots ? ledger.error() : slots.error()) << "\n";
    return 1;
  }
  WallTime now{std::chrono::seconds(1'795'176'000)};
  std::vector<SessionMeter> meters = Begin(**slots, sessions, now);
  std::vector<double> one_part;
  std::vector<double> two_parts;
  for (int i = 0; i < checkpoints; ++i) {
    for (SessionMeter& meter : meters) {
      meter.Add(Direction::kClientToPeer, 1000, 1004, BucketOf(now));
    }
    if (i % 3 == 0) now += kBucketWidth;
    for (SessionMeter& meter : meters) {
      meter.Add(Direction::kPeerToClient, 1000, 1004, BucketOf(now));
    }
    const double before = ThreadMilliseconds();
    const auto done = (*ledger)->Checkpoint(**slots, now);
    const double took = ThreadMilliseconds() - before;
    // The first inserts all sessions.
    if (i > 0) (i % 3 == 0 ? two_parts : one_part).push_back(took);
    if (!done) {
      std::cerr << done.error() << "\n";
      return 1;
    }
  }
  std::cout << meters.size() << " busy sessions\n";
  Print("within a bucket", one_part);
  Print("after a change of bucket", two_parts);
  std::atomic<bool> stop = false;
  std::thread worker([&] { Relay(meters, BucketOf(now), stop); });
  bool stored = true;
  for (int i = 0; i < checkpoints; ++i) stored = (*ledger)->Checkpoint(**slots, now) && stored;
  stop = true;
  worker.join();
  if (!stored) {
    std::cerr << "a checkpoint beside a worker failed\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace turnpike

int main(int argc, char** argv) { return turnpike::Main(argc, argv); }
