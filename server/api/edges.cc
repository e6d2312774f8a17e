#include "server/api/edges.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "server/api/errors.h"

namespace turnpike {

HttpAnswer ListEdges(ApiService& service, const ApiCall&) {
  nlohmann::ordered_json edges = nlohmann::ordered_json::array();
  for (const Edge& edge : service.settings()->edges) {
    std::vector<std::string> addresses;
    for (const IpAddress& ip : edge.addresses) addresses.push_back(ip.ToString());
    std::vector<std::string> uris = StunUris(edge);
    for (std::string& uri : TurnUris(edge)) uris.push_back(std::move(uri));
    edges.push_back({{"name", edge.name},
                     {"region", edge.region},
                     {"hosts", edge.hosts},
                     {"addresses", addresses},
                     {"uris", uris}});
  }
  return JsonAnswer(nlohmann::ordered_json{{"edges", edges}}.dump() + "\n");
}

}  // namespace turnpike
