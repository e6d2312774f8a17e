#include "common/metering/invoices.h"

#include <memory>
#include <utility>

#include "common/metering/billing_file.h"
#include "common/metering/billing_invoices.h"

namespace turnpike {

std::expected<InvoiceSet, std::string> ReadInvoices(const std::string& ledger,
                                                    const RateTable& rates,
                                                    const BillingPeriod& period,
                                                    const std::optional<std::string>& account,
                                                    UnknownAccount unknown) {
  // The books first: what they hold is then in the ledger, which only grows.
  const auto file = BillingFile::OpenForReading(ledger);
  if (!file) return std::unexpected(file.error());
  StoredInvoices stored;
  if (*file != nullptr) {
    auto read = ReadStoredInvoices(**file, period);
    if (!read) return std::unexpected(read.error());
    stored = std::move(*read);
  }
  auto usage = ReadUsageRows(ledger, {period.from, period.to}, account, unknown);
  if (!usage) return std::unexpected(usage.error());
  InvoiceSet set;
  set.scope = usage->scope;
  set.frozen = !stored.invoices.empty();
  if (set.frozen) {
    for (auto& [name, invoice] : stored.invoices) {
      if (!account || name == *account) set.invoices.push_back(std::move(invoice));
    }
    if (!account || !set.invoices.empty()) return set;
    usage->accounts.clear();  // it had no usage when the month was closed
    stored.corrections.clear();
  }
  for (const auto& [name, lines] : stored.corrections) {
    if (!account || name == *account) usage->accounts[name];
  }
  if (account) usage->accounts[*account];
  for (auto& [name, rows] : usage->accounts) {
    const auto own = RateAccount(rates, period, name, std::move(rows));
    if (!own) return std::unexpected(own.error());
    auto invoice = AddCorrections(*own, std::move(stored.corrections[name]));
    if (!invoice) return std::unexpected(invoice.error());
    set.invoices.push_back(*std::move(invoice));
  }
  return set;
}

}  // namespace turnpike
