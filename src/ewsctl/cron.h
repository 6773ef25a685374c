/*
 * cron - what main does for "ewsctl cron" before all else
 */
#ifndef EWS_EWSCTL_CRON_H
#define EWS_EWSCTL_CRON_H

/* Copies the environment for the job: conf_load takes variables away. */
void cron_keep_environment(void);

#endif
