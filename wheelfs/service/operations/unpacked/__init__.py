"""``wheelfs add --uv-cache``, ``--venv`` and ``--conda``: taking in what is unpacked."""
