"""The ledger, the persons' keys, the offsets and the cases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "chains",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "records",
        sa.Column("chain", sa.String, sa.ForeignKey("chains.id"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("chain", "kind", "id", name="records_once"),
    )
    op.create_table(
        "person_keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("chain", sa.String, sa.ForeignKey("chains.id"), nullable=False),
        sa.Column("person", sa.String),
        sa.Column("master", sa.String),
        sa.Column("wrapped", sa.LargeBinary),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("erased_at", sa.BigInteger),
        sa.UniqueConstraint("chain", "person", name="person_keys_once"),
    )
    op.create_index("person_keys_person", "person_keys", ["person"])
    op.create_index("person_keys_master", "person_keys", ["master"])
    op.create_table(
        "offsets",
        sa.Column("topic", sa.String, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("level", sa.String),
        sa.Column("institution", sa.String, nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("next_deadline", sa.BigInteger),
    )
    op.create_index("cases_opened", "cases", ["opened_at"])
    op.create_index("cases_status", "cases", ["status"])
    op.create_index("cases_institution", "cases", ["institution"])
    op.create_index("cases_deadline", "cases", ["next_deadline"])
