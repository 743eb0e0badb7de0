"""etcd3-py reads an error from a field that etcd had up to 3.5: with it, errors have types of their own."""

import unittest

from etcd3 import errors
from every_call import connect


class TypedErrors(unittest.TestCase):
    def setUp(self):
        self.client = connect()

    def test_errors_have_their_types(self):
        revision = self.client.put("typed", "1").header.revision
        for expected, call in [
            (errors.ErrEmptyKey, lambda: self.client.put("", "")),
            (errors.ErrKeyNotFound, lambda: self.client.put("absent", "", ignore_value=True)),
            (errors.ErrLeaseNotFound, lambda: self.client.put("typed", "", lease=4000)),
            (errors.ErrLeaseNotFound, lambda: self.client.lease_revoke(4000)),
            (errors.ErrLeaseNotFound, lambda: self.client.Lease(ttl=10, ID=4000, new=False).grant()),
            (errors.ErrFutureRev, lambda: self.client.range("typed", revision=revision + 1000)),
            (errors.ErrMemberNotFound, lambda: self.client.member_remove(4000)),
            (errors.ErrUserNotFound, lambda: self.client.user_get("nobody")),
            (errors.ErrRoleNotFound, lambda: self.client.role_get("nobody")),
        ]:
            with self.subTest(expected.__name__), self.assertRaises(expected):
                call()
