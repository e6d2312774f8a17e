// Whatever strangers send, the core answers, drops, and keeps no state.
#include "tests/fuzz/core_fuzz_world.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace turnpike;
  FuzzInput input(data, size);
  FuzzWorld world(input.Word());
  while (!input.empty()) {
    const Client client = FuzzClient(input.Byte());
    const size_t length = input.Byte() * size_t{4} + input.Below(8);
    std::vector<uint8_t> message;
    if (input.Below(2) == 0) {
      // Half of them get past the header, or the parser would eat all of the fuzzer's time.
      const uint8_t type = input.Byte();
      const ByteSpan rest = input.Bytes(length / 4 * 4);
      const auto rest_size = static_cast<uint16_t>(rest.size() / 4 * 4);
      message = {static_cast<uint8_t>(type >> 7),
                 static_cast<uint8_t>(type & 0x1F),
                 static_cast<uint8_t>(rest_size >> 8),
                 static_cast<uint8_t>(rest_size),
                 0x21,
                 0x12,
                 0xA4,
                 0x42};
      message.resize(20, type);
      message.insert(message.end(), rest.begin(), rest.begin() + rest_size);
    } else {
      const ByteSpan raw = input.Bytes(length);
      message.assign(raw.begin(), raw.end());
    }
    world.FromClient(client, message, &input);
    TP_CHECK(world.server().allocation_count() == 0);
    // An answer is never much larger than the question, IP and UDP headers counted.
    if (!world.last_message().empty()) {
      TP_CHECK(world.last_message().size() + 28 <= 3 * (message.size() + 28));
    }
  }
  return 0;
}
