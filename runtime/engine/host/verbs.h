// The verbs of `sys`, one table for each file.
#ifndef BERTH_VERBS_H
#define BERTH_VERBS_H

#include "value.h"

extern const VerbTable file_verbs, path_verbs, stat_verbs, mount_verbs, socket_verbs, ioctl_verbs;
extern const VerbTable spawn_verbs, process_verbs, self_verbs, text_verbs;

// What the program was started with; for args().
void set_arguments(int count, char **values);

#endif
