"""The report of the verb `look`: what photos went through before any training."""
