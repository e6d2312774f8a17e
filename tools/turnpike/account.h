// `turnpike account`: the accounts that a server's API knows from its database.
#pragma once

namespace CLI {
class App;
}

namespace turnpike {

// AddAccountCommand adds `account add|list|rotate|disable|enable` to `app`. When one ran,
// `*exit_status` is set.
void AddAccountCommand(CLI::App& app, int* exit_status);

}  // namespace turnpike
