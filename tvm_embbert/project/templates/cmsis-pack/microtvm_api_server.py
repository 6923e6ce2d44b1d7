"""A server of microTVM's Project API for the folder that it lies in; it needs tvm-embbert."""

from tvm_embbert.project.serve import serve_folder

if __name__ == "__main__":
    serve_folder(__file__)
