// The credential that the page /nettest tests with.
#pragma once

#include "server/api/routes.h"

namespace turnpike {

// GiveNettestCredential answers POST /v1/nettest/token: a credential of ten minutes, with the label
// `nettest`, on the account that api.nettest names; 403 when none is named, 429 when enough were
// given out in this minute. Whoever can load the page can have one: caps on that label bound the
// cost.
HttpAnswer GiveNettestCredential(ApiService& service, const ApiCall& call);

}  // namespace turnpike
