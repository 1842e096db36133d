"""The life cycle of a mount: preflight, the session, the daemon that stays, unmounting."""
