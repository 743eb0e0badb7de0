import store from '../../../migrations/0001_store.sql'
import apply from '../../../migrations/functions/apply.sql'
import authChange from '../../../migrations/functions/auth_change.sql'
import authRole from '../../../migrations/functions/auth_role.sql'
import authSwitch from '../../../migrations/functions/auth_switch.sql'
import authUser from '../../../migrations/functions/auth_user.sql'
import compareHolds from '../../../migrations/functions/compare_holds.sql'
import deleteLeaseKeys from '../../../migrations/functions/delete_lease_keys.sql'
import deleteRange from '../../../migrations/functions/delete_range.sql'
import expireLeases from '../../../migrations/functions/expire_leases.sql'
import inspect from '../../../migrations/functions/inspect.sql'
import rangeAt from '../../../migrations/functions/range_at.sql'
import rangeNow from '../../../migrations/functions/range_now.sql'
import recover from '../../../migrations/functions/recover.sql'
import sweep from '../../../migrations/functions/sweep.sql'

/** The first part of each migration, which is the same for all engines. */
export const TABLES = { store }

/** The functions that are the same for all engines. They are replaced as a set, so their order is only for reading. */
export const FUNCTIONS: readonly string[] = [
  apply,
  authChange,
  authRole,
  authSwitch,
  authUser,
  compareHolds,
  deleteRange,
  deleteLeaseKeys,
  expireLeases,
  inspect,
  rangeNow,
  rangeAt,
  recover,
  sweep,
]
