#include "layout.h"

static const layout_row rows[] = {LAYOUT_ROWS};

_Static_assert(__STDC_VERSION__ >= 201112L, "plugin.h is C11");

const layout_row* layout_in_c(size_t* count) {
  *count = sizeof rows / sizeof rows[0];
  return rows;
}
