"""One Hypothesis profile for the policy tests: enough examples to find slips, few enough to stay quick."""

from hypothesis import HealthCheck, settings

settings.register_profile("policy", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("policy")
