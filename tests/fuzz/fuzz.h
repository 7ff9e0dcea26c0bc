/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What libFuzzer calls, and what replay.c calls in its place.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "../../kmod/core/port.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/** fuzz_image() - one input of the target "image" */
void fuzz_image(const u8 *data, size_t size);

#endif /* FUZZ_H */
