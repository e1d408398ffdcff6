#include "layout.h"

namespace {
const layout_row rows[] = {LAYOUT_ROWS};
}

const layout_row* layout_in_cpp(size_t* count) {
  *count = sizeof rows / sizeof rows[0];
  return rows;
}
