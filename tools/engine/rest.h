/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine's work in the background, for those that have no workers.
 */
#ifndef CPB_REST_H
#define CPB_REST_H

#include "../../kmod/core/cpb.h"

/**
 * cpb_rest() - do what is to be done in the background, until nothing is left
 * @s: the store
 *
 * Return: 0, or the first error.
 */
int cpb_rest(struct cpb_store *s);

#endif /* CPB_REST_H */
