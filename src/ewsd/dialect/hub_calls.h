/*
 * hub_calls - the hub's own HTTP calls: health, metrics, operations
 */
#ifndef EWS_EWSD_HUB_CALLS_H
#define EWS_EWSD_HUB_CALLS_H

#include "ewsd/dialect/call.h"

call_fn hub_call_health; /* GET /health */
call_fn hub_call_metrics; /* GET /metrics */
call_fn hub_call_op; /* POST /api/v1/ops/{op} */

#endif
