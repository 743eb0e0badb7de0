-- A count_only Range: the head row alone, with the count as its seventh column. :count counts the present by the
-- interval's own text, or calls range_count() for the past.
select null::bytea, h.revision, h.compact_revision, h.auth_version, :due, null::bytea, :count
from :schema.head h
