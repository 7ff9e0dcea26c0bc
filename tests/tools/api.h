/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The API sockets of two hypervisors, as they are documented, without a machine
 * behind them: as much of it as pausing a guest and letting it go on takes.
 */
#ifndef API_H
#define API_H

enum api_kind { API_FIRECRACKER, API_CLOUD_HYPERVISOR };
enum api_state { API_NOT_STARTED, API_RUNNING, API_PAUSED };

/**
 * api_start() - listen on a socket, in a thread of its own
 * @path: where; one that is there goes
 * @state: of the machine
 *
 * Once in a process.
 */
void api_start(const char *path, enum api_kind kind, enum api_state state);

/** api_stop() - end it; the socket stays, as when a hypervisor is killed */
void api_stop(void);

/** api_state() - what the machine does now; after api_stop() */
enum api_state api_state(void);

/** api_asked - each request as "METHOD PATH BODY", a line; after api_stop() */
extern char api_asked[1024];

#endif /* API_H */
