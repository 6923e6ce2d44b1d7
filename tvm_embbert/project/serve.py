"""What ``microtvm_api_server.py`` runs, in a template's folder or in a project's."""

from __future__ import annotations

from pathlib import Path

from tvm_embbert.project.handler import TemplateHandler, open_project
from tvm_embbert.project.manifest import MANIFEST
from tvm_embbert.project.server import main
from tvm_embbert.project.template_file import load_template


def serve_folder(server: str) -> None:
    """Serve the folder that a server's file lies in, as the command line says.

    Parameters
    ----------
    server : str
        The file's path.
    """
    folder = Path(server).resolve().parent
    if (folder / MANIFEST).is_file():
        main(open_project(folder))
    else:
        main(TemplateHandler(load_template(folder)))
