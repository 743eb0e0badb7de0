/** edgetcd's own version. */
export const EDGETCD_VERSION = '0.1.0'

/** The etcd whose behaviour this is. */
export const ETCD_VERSION = '3.6.16'

/** What etcd of that version calls its cluster's and its storage's version. */
export const ETCD_CLUSTER_VERSION = '3.6.0'
