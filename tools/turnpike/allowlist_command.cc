#include "tools/turnpike/allowlist_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/metering/output.h"
#include "config/allowlist.h"
#include "tools/turnpike/complain.h"
#include "tools/turnpike/config_command.h"
#include "tools/turnpike/text_table.h"

namespace turnpike {
namespace {

using config::AllowRow;
using Rows = std::vector<AllowRow>;

struct AllowlistOptions {
  std::string path;
  std::vector<std::string> addresses;
  std::string format = "text";
  std::string table = "inet filter";
};

std::string ProtocolOf(const AllowRow& row) { return row.is_tcp ? "tcp" : "udp"; }

std::string PortsOf(const AllowRow& row) {
  return row.ports.first == row.ports.last ? std::to_string(row.ports.first)
                                           : fmt::format("{}-{}", row.ports.first, row.ports.last);
}

// CellsOf is one row as every format but nftables shows it, in the order of kColumns.
constexpr std::string_view kColumns[] = {"edge", "protocol", "range", "ports", "purpose"};
std::vector<std::string> CellsOf(const AllowRow& row) {
  return {row.edge, ProtocolOf(row), row.range.ToString(), PortsOf(row), row.purpose};
}

void WriteText(const Rows& rows) {
  std::vector<std::vector<std::string>> cells = {
      {"EDGE", "PROTOCOL", "ADDRESS RANGE", "PORTS", "PURPOSE"}};
  for (const AllowRow& row : rows) {
    cells.push_back(CellsOf(row));
    cells.back()[0] = EscapeText(row.edge);
  }
  std::cout << TextTable(cells, cells.front().size());
}

void WriteCsv(const Rows& rows) {
  const auto writer = MakePlainCsvWriter(std::cout);
  std::vector<OutputColumn> columns;
  for (const std::string_view name : kColumns) columns.push_back({name, InTable::kYes});
  writer->Begin({}, std::move(columns));
  for (const AllowRow& row : rows) {
    std::vector<Cell> cells;
    for (std::string& text : CellsOf(row)) cells.emplace_back(std::move(text));
    writer->Row(cells);
  }
  writer->End({});
}

void WriteJson(const Rows& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const AllowRow& row : rows) {
    list.push_back({{"edge", row.edge},
                    {"protocol", ProtocolOf(row)},
                    {"range", row.range.ToString()},
                    {"first_port", row.ports.first},
                    {"last_port", row.ports.last},
                    {"purpose", row.purpose}});
  }
  std::cout << nlohmann::json{{"rows", std::move(list)}}.dump(2) << "\n";
}

// Comment is text as nftables takes it in quotes: short, and without what would end them.
std::string Comment(const std::string& text) {
  constexpr size_t kMost = 120;
  std::string plain;
  for (const char c : text.substr(0, kMost)) {
    plain += c >= ' ' && c <= '~' && c != '"' && c != '\\' ? c : '?';
  }
  return plain;
}

// WriteNftables makes a chain of its own, so that loading it again replaces it. It hooks nowhere: a
// verdict of another base chain could not be undone from here, so the firewall's own chain jumps.
void WriteNftables(const Rows& rows, const std::string& table) {
  std::cout << fmt::format(
      "# What clients of the relay need, from their network to the server. Load it with `nft -f`,\n"
      "# and jump to it where packets are filtered, replies being accepted as established:\n"
      "#   nft add rule {0} forward jump turnpike\n"
      "add table {0}\n"
      "add chain {0} turnpike\n"
      "flush chain {0} turnpike\n",
      table);
  for (const AllowRow& row : rows) {
    std::cout << fmt::format("add rule {} turnpike {} daddr {} {} dport {} accept comment \"{}\"\n",
                             table, row.range.base.is_v4() ? "ip" : "ip6", row.range.ToString(),
                             ProtocolOf(row), PortsOf(row), Comment(row.edge + ": " + row.purpose));
  }
}

int Write(const AllowlistOptions& options) {
  const auto config = LoadOrPrintProblems(options.path);
  if (!config) return 1;
  std::vector<IpAddress> addresses;
  for (const std::string& text : options.addresses) {
    const auto address = IpAddress::Parse(text);
    if (!address || address->is_unspecified()) {
      return Complain("--address: " + text + " is not an address that clients can reach");
    }
    addresses.push_back(*address);
  }
  const auto rows = config::Allowlist(*config, addresses);
  if (!rows) return Complain(rows.error());
  if (options.format == "text") WriteText(*rows);
  if (options.format == "csv") WriteCsv(*rows);
  if (options.format == "json") WriteJson(*rows);
  if (options.format == "nftables") WriteNftables(*rows, options.table);
  return std::cout ? 0 : 1;
}

}  // namespace

void AddAllowlistCommand(CLI::App& config, int* exit_status) {
  CLI::App* const command = config.add_subcommand(
      "allowlist", "Print what an end user's firewall must let through to this server");
  const auto options = std::make_shared<AllowlistOptions>();
  command->add_option("FILE", options->path, "The configuration file")->required();
  command
      ->add_option("--address", options->addresses,
                   "A public address of the server, in place of those in relay.addresses; may be "
                   "given more than once")
      ->type_name("ADDRESS");
  command->add_option("--format", options->format, "text, csv, json or nftables")
      ->check(CLI::IsMember({"text", "csv", "json", "nftables"}, CLI::ignore_case))
      ->capture_default_str();
  command
      ->add_option("--table", options->table,
                   "The table of nftables that gets a chain `turnpike`, with its family")
      ->check([](const std::string& text) {
        const bool is_plain = text.find_first_not_of(
                                  "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ") == std::string::npos;
        return is_plain && text.starts_with("inet ") ? "" : "is not `inet NAME`";
      })
      ->capture_default_str();
  command->callback([options, exit_status] { *exit_status = Write(*options); });
  command->footer(
      "Examples:\n"
      "  turnpike config allowlist turnpike.yaml\n"
      "  turnpike config allowlist turnpike.yaml --address 203.0.113.7 --format nftables | nft -c "
      "-f "
      "-");
}

}  // namespace turnpike
