// Where workers leave clients' connections for each other (RFC 6062).
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "server/io/client_end.h"
#include "server/io/uv.h"

namespace turnpike {

// HandoverBoard holds the connections that wait for another worker. Any thread may call it; it is
// used once per data connection whose worker is not the one that accepted it.
class HandoverBoard {
 public:
  // Join opens the box of `core`; `wake` is sent when something lies in it. Leave closes it and
  // returns what nobody took: from then on `wake` is not used any more.
  void Join(CoreId core, UvAsync& wake);
  std::vector<ClientEnd> Leave(CoreId core);

  // Post puts `end` into the box of `core`; false, and nothing moved, when there is none.
  bool Post(CoreId core, ClientEnd& end);

  // Take empties the box of `core`.
  std::vector<ClientEnd> Take(CoreId core);

 private:
  struct Box {
    UvAsync* wake = nullptr;
    std::vector<ClientEnd> ends;
  };

  std::mutex mutex_;
  std::map<CoreId, Box> boxes_;
};

}  // namespace turnpike
