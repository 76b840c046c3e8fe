"""Entry of the child: `python -m scaleset_operator.adapters.prober --fd N`."""

from scaleset_operator.adapters.prober.process import main

if __name__ == "__main__":
    main()
