#ifndef TSBOX_PIN_H
#define TSBOX_PIN_H
#include "spec.h"
/* Mode pin: 0, or -1 with the fault set. */
int pin_main(const struct spec *spec);
#endif
