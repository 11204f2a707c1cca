"""How many examples properties are tried with: `make check` asks a tenth of what `make test` does."""

from hypothesis import settings

settings.register_profile("quick", max_examples=settings.default.max_examples // 10)
