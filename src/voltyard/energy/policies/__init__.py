"""What a site wants of its charging beyond limits and readiness; see ``registry.POLICIES``."""
