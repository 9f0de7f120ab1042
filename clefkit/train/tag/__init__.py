"""How the checkpoint `tag` is made.

recipe                          all of it, step by step
roles.toml, players, units      who may play what; a bank of stems that they played
own                             the same of the user's own recordings
described                       what each stem sounds like
mix, record, batches            mixtures of stems, made anew for every step
loop                            losses, training
heldout, judge, finish, card    how well it hears what it never learnt from; calibration, files, words
"""
