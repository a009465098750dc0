"""The archive 档案: everything about a case in a SQL database, append-only and verifiable."""
