// What an operator can make the server do. `app` implements it; any thread may call it.
#pragma once

#include <string>
#include <vector>

namespace turnpike {

// ReloadReport says what became of a reload. Nothing in it is a secret.
struct ReloadReport {
  std::vector<std::string> problems;       // why nothing was changed; empty: the reload succeeded
  std::vector<std::string> changes;        // `limits.max_lifetime: 1h -> 2h`
  std::vector<std::string> needs_restart;  // changes in the file that wait for a restart

  bool ok() const { return problems.empty(); }
};

// AdminActions are what changes a running server.
class AdminActions {
 public:
  virtual ~AdminActions() = default;

  // Drain refuses new allocations from now on and ends the server when the last one has ended. A
  // second call changes nothing.
  virtual void Drain() = 0;

  // Reload reads the configuration again and serves by it: all of it, or, when anything is wrong,
  // none. It returns when every worker does.
  virtual ReloadReport Reload() = 0;
};

}  // namespace turnpike
