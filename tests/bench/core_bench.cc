// What the core costs without the kernel: run by hand, from a release build.
//   build/release/tests/core_bench [--benchmark_filter=ChannelData]
// Beside nanoseconds each line says how many cycles of the time stamp counter an operation took and
// how often it called operator new.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/stun/message.h"
#include "tests/bench/core_stage.h"
#include "tests/bench/heap_count.h"

namespace turnpike::bench {
namespace {

constexpr size_t kPayload = 160;

uint64_t ReadTicks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return 0;
#endif
}

// Tally adds what google benchmark does not count to the line of `state`.
class Tally {
 public:
  explicit Tally(benchmark::State& state) : state_(state), heap_(ReadHeap()), ticks_(ReadTicks()) {}
  ~Tally() {
    const uint64_t ticks = ReadTicks() - ticks_;
    const HeapCount heap = ReadHeap();
    const auto each = benchmark::Counter::kAvgIterations;
    state_.counters["tsc"] = benchmark::Counter(static_cast<double>(ticks), each);
    state_.counters["news"] =
        benchmark::Counter(static_cast<double>(heap.calls - heap_.calls), each);
  }
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

 private:
  benchmark::State& state_;
  HeapCount heap_;
  uint64_t ticks_;
};

// Walk visits sessions in an order that no prefetcher foresees: far apart, each once per round.
class Walk {
 public:
  explicit Walk(size_t size) : size_(size) {}
  size_t Next() { return at_ = (at_ + 7919) % size_; }  // a prime above every size used

 private:
  size_t size_;
  size_t at_ = 0;
};

// CheckRelayed fails a line whose packets went nowhere.
void CheckRelayed(benchmark::State& state, const CoreStage& stage, Direction direction) {
  const auto& packets = stage.stats().relayed_packets[static_cast<size_t>(Transport::kUdp)];
  if (packets[static_cast<size_t>(direction)].Get() != static_cast<uint64_t>(state.iterations())) {
    state.SkipWithError("not every packet was relayed");
  }
}

void ToPeer(benchmark::State& state, const LimitOptions& limits) {
  CoreStage stage(limits);
  stage.AddSessions(static_cast<size_t>(state.range(0)), Wrapping::kChannel);
  const std::array<uint8_t, kPayload> payload{};
  const Bytes message = stage.Wrap(stage.sessions()[0], Wrapping::kChannel, payload);
  Walk walk(stage.sessions().size());
  {
    const Tally tally(state);
    for (auto _ : state) stage.FromClient(stage.sessions()[walk.Next()].client, message);
  }
  CheckRelayed(state, stage, Direction::kClientToPeer);
}
void ChannelDataToPeer(benchmark::State& state) { ToPeer(state, {}); }
BENCHMARK(ChannelDataToPeer)->Arg(1)->Arg(100)->Arg(1000)->Arg(5000);
// What the limits cost where they are set, and too wide to hold anything back; the line above has
// none, and what it takes is to be no more than before there were any: a pointer that is null.
void ChannelDataToPeerWithinLimits(benchmark::State& state) {
  constexpr uint64_t kWide = uint64_t{1} << 50;
  ToPeer(
      state,
      {.session_bandwidth = kWide, .account_bandwidth = kWide, .session_packets = 2'000'000'000});
}
BENCHMARK(ChannelDataToPeerWithinLimits)->Arg(1)->Arg(100)->Arg(1000)->Arg(5000);

void ToClient(benchmark::State& state, Wrapping wrapping) {
  CoreStage stage;
  stage.AddSessions(static_cast<size_t>(state.range(0)), wrapping);
  const std::array<uint8_t, kPayload> payload{};
  Walk walk(stage.sessions().size());
  {
    const Tally tally(state);
    for (auto _ : state) stage.FromPeer(stage.sessions()[walk.Next()], payload);
  }
  CheckRelayed(state, stage, Direction::kPeerToClient);
}
void ChannelDataToClient(benchmark::State& state) { ToClient(state, Wrapping::kChannel); }
BENCHMARK(ChannelDataToClient)->Arg(1)->Arg(100)->Arg(1000)->Arg(5000);
void DataIndicationToClient(benchmark::State& state) { ToClient(state, Wrapping::kSend); }
BENCHMARK(DataIndicationToClient)->Arg(1)->Arg(1000);

void SendIndicationToPeer(benchmark::State& state) {
  CoreStage stage;
  stage.AddSessions(static_cast<size_t>(state.range(0)), Wrapping::kSend);
  const std::array<uint8_t, kPayload> payload{};
  std::vector<Bytes> messages;
  for (const Session& session : stage.sessions()) {
    messages.push_back(stage.Wrap(session, Wrapping::kSend, payload));
  }
  Walk walk(messages.size());
  {
    const Tally tally(state);
    for (auto _ : state) {
      const size_t i = walk.Next();
      stage.FromClient(stage.sessions()[i].client, messages[i]);
    }
  }
  CheckRelayed(state, stage, Direction::kClientToPeer);
}
BENCHMARK(SendIndicationToPeer)->Arg(1)->Arg(1000);

void AllocateUnauthenticated(benchmark::State& state) {
  CoreStage stage;
  const Exchange exchange = stage.Record(0);
  const Tally tally(state);
  for (auto _ : state) stage.FromClient(exchange.client, exchange.unauthenticated);
}
BENCHMARK(AllocateUnauthenticated);

// One iteration is an allocation's whole life: the 401, the authenticated Allocate with its slot,
// and the Refresh that ends it; time passes, so deadlines are kept as well. `grown_bytes` is what
// the heap has grown by since the first round.
void AllocateAndRelease(benchmark::State& state) {
  CoreStage stage;
  std::vector<Exchange> exchanges;
  for (uint32_t i = 0; i < 1000; ++i) exchanges.push_back(stage.Record(i));
  size_t next = 0;
  const auto cycle = [&] {
    const Exchange& exchange = exchanges[next++ % exchanges.size()];
    stage.FromClient(exchange.client, exchange.unauthenticated);
    stage.FromClient(exchange.client, exchange.allocate);
    stage.FromClient(exchange.client, exchange.release);
    stage.Advance(std::chrono::milliseconds(1));
  };
  for (size_t i = 0; i < exchanges.size(); ++i) cycle();
  const uint64_t before = stage.stats().allocations_created.Get();
  const HeapCount heap = ReadHeap();
  {
    const Tally tally(state);
    for (auto _ : state) cycle();
  }
  state.counters["grown_bytes"] = static_cast<double>(ReadHeap().bytes - heap.bytes);
  const uint64_t made = stage.stats().allocations_created.Get() - before;
  if (made != static_cast<uint64_t>(state.iterations()) || stage.allocation_count() != 0) {
    state.SkipWithError("not every allocation was made and released");
  }
}
BENCHMARK(AllocateAndRelease)->Iterations(1'000'000)->Unit(benchmark::kMicrosecond);

void IntegrityCheck(benchmark::State& state) {
  CoreStage stage;
  const Exchange exchange = stage.Record(0);
  const auto key = stun::LongTermKeyMd5("alice", "turnpike.example", "s3cret");
  const auto message = stun::MessageView::Parse(exchange.allocate);
  const Tally tally(state);
  for (auto _ : state) {
    if (!message || !message->VerifyIntegrity(key)) {
      state.SkipWithError("the integrity does not verify");
    }
  }
}
BENCHMARK(IntegrityCheck);

// SlotAdd is what metering adds to a packet.
void SlotAdd(benchmark::State& state) {
  const TempDirectory directory;
  const auto sessions = static_cast<size_t>(state.range(0));
  const auto slots = SlotFile::Open(directory.file("live.slots"), 16384,
                                    {.node = "bench", .region = "here", .edge = "", .boot = {}});
  std::vector<SessionMeter> meters;
  for (size_t i = 0; i < sessions; ++i) meters.push_back((*slots)->Acquire({}).value());
  Walk walk(sessions);
  const Tally tally(state);
  for (auto _ : state) {
    meters[walk.Next()].Add(Direction::kClientToPeer, kPayload, kPayload + 4, BucketIndex(1));
  }
}
BENCHMARK(SlotAdd)->Arg(1)->Arg(100)->Arg(1000)->Arg(5000);

// IdleAllocation prints what an allocation without traffic keeps on the heap, tables included, and
// in its slot; the relay's socket and its watch belong to server/io and are not in it.
void IdleAllocation(benchmark::State& state) {
  constexpr size_t kAllocations = 10'000;
  for (auto _ : state) {
    CoreStage stage;
    stage.AddSessions(0, std::nullopt);
    const HeapCount before = ReadHeap();
    stage.AddSessions(kAllocations, std::nullopt);
    const HeapCount after = ReadHeap();
    const int64_t own = static_cast<int64_t>(kAllocations * sizeof(Session));
    state.counters["heap_bytes"] =
        static_cast<double>(after.bytes - before.bytes - own) / kAllocations;
  }
}
BENCHMARK(IdleAllocation)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace turnpike::bench

BENCHMARK_MAIN();
