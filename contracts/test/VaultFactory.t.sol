// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClientVault} from "../sources/vault/ClientVault.sol";
import {CloneCode} from "../sources/vault/CloneCode.sol";
import {DepositForwarder} from "../sources/vault/DepositForwarder.sol";
import {VaultFactory} from "../sources/vault/VaultFactory.sol";
import {ExitRequest, Withdrawal} from "../sources/vault/VaultMessages.sol";
import {VaultState} from "../sources/vault/VaultState.sol";
import {VaultTerms} from "../sources/vault/VaultTerms.sol";
import {InitialPolicy, Terms, VaultConfig} from "../sources/vault/VaultTypes.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice Addresses that commit to everything, and deployment by anybody.
contract VaultFactoryTest is VaultWorld {
    Client private ada;

    function setUp() external {
        buildWorld();
        ada = newClient("ada", INDIVIDUAL);
    }

    function testAnybodyDeploysAtTheAddressOfTheConfiguration() external {
        bytes32 hash = keccak256(abi.encode(ada.config));
        bytes memory initCode = CloneCode.initCode(factory.vaultImplementation());
        bytes32 wanted =
            keccak256(abi.encodePacked(hex"ff", address(factory), hash, keccak256(initCode)));
        vm.assertEq(factory.vaultAddress(hash), address(uint160(uint256(wanted))), "EIP-1014");
        vm.expectEmit(address(factory));
        emit VaultFactory.VaultCreated(address(ada.vault), ada.config.clientId, ada.config);
        vm.prank(stranger);
        vm.assertEq(factory.create(ada.config), address(ada.vault), "answer");
        vm.assertEq(address(ada.vault).code, CloneCode.runtime(factory.vaultImplementation()), "code");
    }

    function testTheCloneIsFortyNineBytesThatNameTheImplementation() external {
        factory.create(ada.config);
        bytes memory code = bytes.concat(
            hex"5f5f3615602f57365f5f37365f73",
            bytes20(factory.vaultImplementation()),
            hex"5af43d5f5f3e5f3d91602f57fd5bf3"
        );
        vm.assertEq(address(ada.vault).code, code, "byte for byte");
        vm.assertEq(code.length, 49, "bytes");
    }

    function testCreatingTwiceIsNoFailureAndSaysNothing() external {
        factory.create(ada.config);
        vm.recordLogs();
        vm.assertEq(factory.create(ada.config), address(ada.vault), "the same");
        vm.assertEq(vm.getRecordedLogs().length, 0, "no second event");
    }

    /// @dev CREATE2 gives up at the highest nonce (EIP-2681), and leaves the gas: nobody is told of a vault that is not there.
    function testACloneThatWasNotCreatedIsSaid() external {
        vm.setNonce(address(factory), type(uint64).max);
        bytes32 salt = keccak256(abi.encode(ada.config));
        vm.expectRevert(abi.encodeWithSelector(CloneCode.CloneNotCreated.selector, salt));
        factory.create(ada.config);
    }

    function testTooLittleGasCreatesNothing() external {
        bytes memory call = abi.encodeCall(VaultFactory.create, (ada.config));
        bool ok = false;
        for (uint256 budget = 30_000; !ok; budget += 500) {
            (ok,) = address(factory).call{gas: budget}(call);
            vm.assertTrue(ok == (address(ada.vault).code.length == 49), "there or not");
        }
    }

    function testEveryFieldIsInTheAddress() external view {
        VaultConfig memory c = ada.config;
        bytes32[8] memory fields;
        for (uint256 i = 0; i < 8; ++i) {
            bytes memory words = abi.encode(c);
            assembly {
                let word := add(add(words, 32), mul(i, 32))
                mstore(word, xor(mload(word), 1))
            }
            fields[i] = keccak256(words);
            vm.assertTrue(factory.vaultAddress(fields[i]) != address(ada.vault), "another address");
        }
    }

    function testManyAreCreatedAndThoseThatExistAreLeft() external {
        VaultConfig[] memory configs = new VaultConfig[](3);
        configs[0] = ada.config;
        configs[1] = newClient("bob", OMNIBUS).config;
        configs[2] = newClient("eve", INDIVIDUAL).config;
        factory.create(configs[1]);
        factory.createMany(configs);
        for (uint256 i = 0; i < 3; ++i) {
            address vault = factory.vaultAddress(keccak256(abi.encode(configs[i])));
            vm.assertEq(vault.code.length, 49, "deployed");
        }
    }

    function testTheFirstPaymentDeploysOpensAndPaysInOneCall() external {
        vm.deal(address(ada.vault), 1 ether);
        Withdrawal memory m = withdrawal(ETH, ada.listed, 1 ether);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(ada.vault.openPolicy, (ada.config, abi.decode(ada.policy, (InitialPolicy))));
        calls[1] = abi.encodeCall(ada.vault.pay, (ada.config, m, byQuorum(ada, Typed.hash(m))));
        vm.prank(stranger);
        vm.assertEq(factory.createAndCall(ada.config, calls), address(ada.vault), "answer");
        vm.assertEq(ada.listed.balance, 1 ether, "paid");
    }

    function testACallThatFailsUndoesTheCreation() external {
        ExitRequest memory m = ExitRequest(nextNonce(), soon());
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(ada.vault.requestExit, (ada.config, m, byExit(ada, Typed.hash(m))));
        calls[1] = abi.encodeCall(ada.vault.exit, (ada.config, ETH));
        vm.expectRevert();
        factory.createAndCall(ada.config, calls);
        vm.assertEq(address(ada.vault).code.length, 0, "no vault");
        calls[1] = abi.encodeCall(ada.vault.openPolicy, (ada.config, abi.decode(ada.policy, (InitialPolicy))));
        vm.expectRevert();
        factory.createAndCall(ada.config, calls);
    }

    function testTheFactoryHasNoAuthority() external {
        Withdrawal memory m = withdrawal(ETH, ada.listed, 1);
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(ada.vault.pay, (ada.config, m, ""));
        vm.expectPartialRevert(VaultState.NoQuorum.selector);
        factory.createAndCall(ada.config, calls);
    }

    function testEveryRuleOfAConfigurationIsHeld() external {
        VaultConfig memory c = ada.config;
        refused("clientId is zero", with(c, 0, 0));
        refused("signerSet is zero", with(c, 1, 0));
        refused("feeReceiver is zero", with(c, 2, 0));
        refused("exitDestination is zero", with(c, 3, 0));
        refused("exitDestination takes fees", with(c, 3, uint256(uint160(c.feeReceiver))));
        refused("clientKey is zero", with(c, 4, 0));
        refused("exitKey is zero", with(c, 5, 0));
        refused("exitKey is the clientKey", with(c, 5, uint256(c.clientKey)));
        refused("policyHash is zero", with(c, 6, 0));
        uint256 terms = Terms.unwrap(c.terms);
        for (uint256 bit = 248; bit < 256; ++bit) {
            refused("terms begin with zero", with(c, 7, terms | (1 << bit)));
        }
        uint256[7] memory d = [WINDOW, CHANGE, RECOVERY, EXIT, EXIT_CHANGE, HEARTBEAT, PAUSE];
        refused("kind is 1 or 2", withTerms(0, FEE_BPS, d));
        refused("kind is 1 or 2", withTerms(3, FEE_BPS, d));
        refused("feeBpsYear is too high", withTerms(INDIVIDUAL, 1_001, d));
        refused("windowSeconds is zero", withTerms(INDIVIDUAL, FEE_BPS, changed(d, 0, 0)));
        refused("changeDelay is zero", withTerms(INDIVIDUAL, FEE_BPS, changed(d, 1, 0)));
        refused("recoveryDelay > changeDelay", withTerms(INDIVIDUAL, FEE_BPS, changed(d, 2, CHANGE)));
        refused("exitDelay is zero", withTerms(INDIVIDUAL, FEE_BPS, changed(d, 3, 0)));
        refused("exitChangeDelay > exitDelay", withTerms(INDIVIDUAL, FEE_BPS, changed(d, 4, EXIT)));
        refused("heartbeatPeriod is zero", withTerms(INDIVIDUAL, FEE_BPS, changed(d, 5, 0)));
        refused("pauseSeconds is zero", withTerms(INDIVIDUAL, FEE_BPS, changed(d, 6, 0)));
        refused("pauseSeconds <= exitDelay", withTerms(INDIVIDUAL, FEE_BPS, changed(d, 6, EXIT + 1)));
    }

    function testTheEdgesOfTheRulesAreAllowed() external {
        uint256[7] memory d = [uint256(1), 1, 2, 1, 2, 1, 1];
        accepted(withTerms(OMNIBUS, 1_000, d));
        accepted(withTerms(INDIVIDUAL, 0, d));
        uint256 most = type(uint32).max;
        accepted(withTerms(INDIVIDUAL, 0, [most, most - 1, most, most - 1, most, most, most - 1]));
    }

    function testTheImplementationIsInert() external {
        ClientVault implementation = ClientVault(factory.vaultImplementation());
        vm.deal(address(implementation), 1 ether);
        bytes32 hash = keccak256(abi.encode(ada.config));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongConfig.selector, hash));
        implementation.exit(ada.config, ETH);
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongConfig.selector, hash));
        implementation.openExit(ada.config);
        InitialPolicy memory policy = abi.decode(ada.policy, (InitialPolicy));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongConfig.selector, hash));
        implementation.openPolicy(ada.config, policy);
    }

    function testAnotherConfigurationIsRefusedByAVault() external {
        factory.create(ada.config);
        Client memory eve = newClient("eve", INDIVIDUAL);
        bytes32 hash = keccak256(abi.encode(eve.config));
        InitialPolicy memory policy = abi.decode(eve.policy, (InitialPolicy));
        vm.expectRevert(abi.encodeWithSelector(VaultState.WrongConfig.selector, hash));
        ada.vault.openPolicy(eve.config, policy);
    }

    function testEtherArrivesWithAStipendOnly() external {
        factory.create(ada.config);
        address forwarder = factory.createForwarder(address(ada.vault), "x");
        vm.deal(address(this), 2);
        // No gas of ours: what the callee has is the stipend of 2,300.
        (bool toVault,) = address(ada.vault).call{value: 1, gas: 0}("");
        (bool toForwarder,) = forwarder.call{value: 1, gas: 0}("");
        vm.assertTrue(toVault && toForwarder, "taken");
        vm.assertEq(address(ada.vault).balance, 1, "vault");
        vm.assertEq(forwarder.balance, 1, "forwarder");
    }

    function testAForwarderPaysItsOwnVaultAlone() external {
        factory.create(ada.config);
        Client memory eve = openClient("eve", INDIVIDUAL);
        address forwarder = factory.forwarderAddress(address(ada.vault), "salt");
        vm.deal(forwarder, 3 ether);
        dollar.mint(forwarder, 5);
        vm.expectEmit(address(factory));
        emit VaultFactory.ForwarderCreated(forwarder, address(ada.vault), "salt");
        vm.prank(stranger);
        vm.assertEq(factory.createForwarder(address(ada.vault), "salt"), forwarder, "address");
        vm.assertEq(forwarder.code, CloneCode.runtime(factory.forwarderImplementation()), "code");
        DepositForwarder(forwarder).flush(address(ada.vault), "salt", ETH);
        vm.expectEmit(forwarder);
        emit DepositForwarder.Flushed(address(ada.vault), address(dollar), 5);
        DepositForwarder(forwarder).flush(address(ada.vault), "salt", address(dollar));
        vm.assertEq(address(ada.vault).balance, 3 ether, "ether");
        vm.assertEq(dollar.balanceOf(address(ada.vault)), 5, "dollars");
        vm.expectRevert(
            abi.encodeWithSelector(
                DepositForwarder.WrongForwarder.selector, address(eve.vault), bytes32("salt")
            )
        );
        DepositForwarder(forwarder).flush(address(eve.vault), "salt", ETH);
        vm.expectRevert(
            abi.encodeWithSelector(
                DepositForwarder.WrongForwarder.selector, address(ada.vault), bytes32("other")
            )
        );
        DepositForwarder(forwarder).flush(address(ada.vault), "other", ETH);
        DepositForwarder implementation = DepositForwarder(factory.forwarderImplementation());
        vm.expectPartialRevert(DepositForwarder.WrongForwarder.selector);
        implementation.flush(address(ada.vault), "salt", ETH);
    }

    function testManyForwardersAreFlushedAndEmptyOnesDoNotMatter() external {
        bytes32[] memory salts = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            salts[i] = bytes32(i);
        }
        vm.deal(factory.forwarderAddress(address(ada.vault), salts[0]), 1);
        vm.deal(factory.forwarderAddress(address(ada.vault), salts[2]), 2);
        factory.createForwarder(address(ada.vault), salts[2]);
        vm.recordLogs();
        factory.flush(address(ada.vault), salts, ETH);
        vm.assertEq(vm.getRecordedLogs().length, 4, "two created, two flushed");
        vm.assertEq(address(ada.vault).balance, 3, "all, before the vault has code");
    }

    function with(VaultConfig memory c, uint256 field, uint256 value) private pure returns (VaultConfig memory) {
        bytes memory words = abi.encode(c);
        assembly {
            mstore(add(add(words, 32), mul(field, 32)), value)
        }
        return abi.decode(words, (VaultConfig));
    }

    function withTerms(uint256 kind, uint256 bps, uint256[7] memory delays)
        private
        view
        returns (VaultConfig memory c)
    {
        c = with(ada.config, 7, Terms.unwrap(packTerms(kind, bps, delays)));
    }

    function changed(uint256[7] memory delays, uint256 index, uint256 value)
        private
        pure
        returns (uint256[7] memory other)
    {
        for (uint256 i = 0; i < 7; ++i) {
            other[i] = i == index ? value : delays[i];
        }
    }

    function refused(bytes32 rule, VaultConfig memory c) private {
        vm.expectRevert(abi.encodeWithSelector(VaultTerms.InvalidConfig.selector, rule));
        factory.create(c);
    }

    function accepted(VaultConfig memory c) private {
        vm.assertEq(factory.create(c).code.length, 49, "created");
    }
}
