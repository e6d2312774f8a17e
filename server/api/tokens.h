// Credentials by API: the hosted services' Tokens, and the plain REST convention.
#pragma once

#include "server/api/routes.h"

namespace turnpike {

// CreateToken answers POST /2010-04-01/Accounts/{AccountSid}/Tokens.json.
HttpAnswer CreateToken(ApiService& service, const ApiCall& call);

// MintByRest answers GET and POST /turn?username=…&ttl=…&key=…
// (draft-uberti-behave-turn-rest-00 §2): `username` becomes the label of the usage.
HttpAnswer MintByRest(ApiService& service, const ApiCall& call);

}  // namespace turnpike
