/*
 * admin.h: the optional TCP listener (admin_listen) for monitoring: GET /metrics, /healthz, /readyz and nothing else.
 * One request a connection, bounded in number and in time. struct master owns a struct admin as m->admin.
 */
#ifndef MASTER_ADMIN_H
#define MASTER_ADMIN_H

struct master;
struct admin;

/* Listens at every address of admin_listen; nothing when there is none. 0, or -1 after logging why not. */
int admin_start(struct master *m);
void admin_stop(struct master *m);

#endif
