# SPDX-License-Identifier: Apache-2.0
"""Writes small docstring-described Python functions: the demo model's training text and the demo problems."""
