"""Who bills a service: its phases, the gate between them, the drafts of a dual run."""
