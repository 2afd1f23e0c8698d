# SPDX-License-Identifier: Apache-2.0
"""A small network of namespaces with gateways and real Nebula hosts, for tests and the demo."""
