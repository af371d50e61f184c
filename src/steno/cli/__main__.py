"""`python -m steno.cli`: the same as `steno`, for where no script is installed."""

from steno.cli import main

main()
