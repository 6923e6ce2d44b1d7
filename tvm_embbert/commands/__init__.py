"""The subcommands, a file each: ``add_arguments(parser)`` and ``run(options)``; imports inside."""
