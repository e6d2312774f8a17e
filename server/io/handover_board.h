// Where workers leave things for each other.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "server/io/handover.h"
#include "server/io/uv.h"

namespace turnpike {

// HandoverBoard holds what waits for another worker. Any thread may call it. Only sessions use it
// that need two workers: RFC 6062's second connections, and clients that moved (RFC 8016).
class HandoverBoard {
 public:
  // kMaxWaiting bounds a box: data and STUN messages beyond it are refused, like datagrams by a
  // full socket.
  static constexpr size_t kMaxWaiting = 8192;

  // Join opens the box of `core`; `wake` is sent when something lies in it. Leave closes it and
  // returns what nobody took: from then on `wake` is not used any more.
  void Join(CoreId core, UvAsync& wake);
  std::vector<Handover> Leave(CoreId core);

  // Post puts `item` into the box of `core`; false, and `item` untouched, when there is none, or
  // when it is full of what may be lost and `item` may be too.
  bool Post(CoreId core, Handover&& item);

  // Take empties the box of `core`; what was posted first stands first.
  std::vector<Handover> Take(CoreId core);

 private:
  struct Box {
    UvAsync* wake = nullptr;
    std::vector<Handover> items;
  };

  std::mutex mutex_;
  std::map<CoreId, Box> boxes_;
};

}  // namespace turnpike
