// The verbs of `sys`, one table for each file; those of the loop are in loop.h.
#ifndef BERTH_VERBS_H
#define BERTH_VERBS_H

#include "value.h"

extern const VerbTable call_verbs, file_verbs, stat_verbs, ioctl_verbs, spawn_verbs;
extern const VerbTable process_verbs, self_verbs;

// What the program was started with; for args().
void set_program_arguments(int count, char **values);

#endif
