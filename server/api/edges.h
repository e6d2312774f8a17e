// What the API says of edges.
#pragma once

#include "server/api/routes.h"

namespace turnpike {

// ListEdges answers GET /v1/edges. Nothing in it is a secret: it is what clients are told anyway.
HttpAnswer ListEdges(ApiService& service, const ApiCall& call);

}  // namespace turnpike
