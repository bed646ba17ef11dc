"""Parts of pages that are made from the code when the site is built: `<!-- environment toll_v0 -->` and its like.

The page stays a Markdown file that can be read where it lies; the comment becomes what the code says of itself.
"""

import re

import api_reference
import command_help
import environment_text

MAKERS = {
    "api": api_reference.of_module,
    "environment": environment_text.of_environment,
    "help": command_help.of_command,
}
PLACE = re.compile(r"<!-- (api|environment|help) (\S+) -->")


def fill_in(app, name, source):
    """Sphinx's event `source-read`: `source` is a list of one text, changed in place."""
    source[0] = PLACE.sub(lambda found: MAKERS[found[1]](found[2]), source[0])
