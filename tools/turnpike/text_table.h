// Tables for people, of text that is known in whole.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace turnpike {

// TextTable aligns the cells of all rows; the first row is the header. Columns from `first_number`
// on are aligned to the right. `rows` has at least that header, and all rows are as long.
std::string TextTable(const std::vector<std::vector<std::string>>& rows, size_t first_number);

}  // namespace turnpike
